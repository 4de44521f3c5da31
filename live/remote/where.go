package remote

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"throughline/scratch"
)

// kept is what the temporary directories are called in which a stack says where it is, and
// whereFile the file in them.
const (
	kept      = "ctl"
	whereFile = "where.json"
)

// Announce says to this user's other programs where a stack is and what its token is, until
// the directory that it gives is removed.
func Announce(c Client) (*scratch.Dir, error) {
	dir, err := scratch.New(kept)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir.Path, whereFile), text, 0o600)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Remove())
	}
	return dir, nil
}

// Find gives the stack on which moves are made at an address, or the newest of this user if that is empty.
func Find(at string) (Client, error) {
	return among(at, slices.DeleteFunc(announced(), func(c Client) bool { return c.ReadOnly }))
}

// FindAny is Find of any stack, also of one that a scenario is run on.
func FindAny(at string) (Client, error) { return among(at, announced()) }

func among(at string, all []Client) (Client, error) {
	if at == "" {
		if len(all) == 0 {
			return Client{}, errors.New("no stack is up; start one with throughline up")
		}
		return all[0], nil
	}
	wanted, err := url.Parse(at)
	if err != nil || wanted.Host == "" {
		return Client{}, fmt.Errorf("--at %s: no address like http://127.0.0.1:8900/", at)
	}
	for _, c := range all {
		if has, err := url.Parse(c.URL); err == nil && has.Host == wanted.Host {
			return c, nil
		}
	}
	if token := wanted.Query().Get("token"); token != "" { // as it was printed, perhaps elsewhere
		return Client{URL: "http://" + wanted.Host + "/", Token: token}, nil
	}
	if len(all) == 0 {
		return Client{}, fmt.Errorf("--at %s: no stack is up there; start one with throughline up", at)
	}
	var have []string
	for _, c := range all {
		have = append(have, c.URL)
	}
	return Client{}, fmt.Errorf("--at %s: no stack is up there (have %s)", at, strings.Join(have, ", "))
}

// announced are the stacks that have said where they are, the newest first.
func announced() []Client {
	type dated struct {
		Client
		since time.Time
	}
	var all []dated
	for _, dir := range scratch.Find(kept) {
		path := filepath.Join(dir, whereFile)
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue // it is just coming, or just going
		}
		text, err := os.ReadFile(path)
		d := dated{since: info.ModTime()}
		if err == nil && json.Unmarshal(text, &d.Client) == nil {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b dated) int { return cmp.Or(b.since.Compare(a.since), strings.Compare(a.URL, b.URL)) })
	out := make([]Client, len(all))
	for i, d := range all {
		out[i] = d.Client
	}
	return out
}
