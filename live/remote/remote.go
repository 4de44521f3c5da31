// Package remote lets moves be made by hand from outside the process that has the stack: by
// a page of its own, with buttons, and by a command in another shell.
//
// Who may make moves is who has the token: it stands in the address that is printed, and in
// a file that only its owner can read. A [Handler] asks for it, and lets a [Hand] make the
// moves; it knows neither stack nor scenario language. A [Client] is the other end.
//
// It is served by a page.Server, whose guard keeps away what asks by another name or from
// another site. Commands up and ctl put it together.
package remote

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"throughline/live"
)

// Hand is who makes the moves. Its methods may be called by several goroutines at once.
type Hand interface {
	// Move makes a move, given in words, and returns when it has had its effect. The error
	// says why it was not begun.
	Move(words string) (live.Moved, error)
	Standing() live.Standing
	// End ends it all, and returns at once.
	End()
}

// The paths of a Handler.
const (
	enterPath    = "/enter"    // GET, with the token: opens the page with it
	movesPath    = "/moves"    // POST: makes a move
	endPath      = "/end"      // POST: ends it all
	standingPath = "/standing" // GET: a live.Standing
)

// mostWords is how long a move may be, in bytes.
const mostWords = 4 << 10

// Handler answers who would make moves.
type Handler struct {
	hand   Hand
	token  string
	cookie string // its name
	mux    *http.ServeMux
	// Moved is called when a move was made or refused; nil: nobody asks.
	Moved func()

	mu   sync.Mutex
	told word // of the last move
}

// word is what became of a move, on one line.
type word struct {
	Text string
	Bad  bool // it was refused, or had no effect
}

// NewHandler makes one for a page at an address, host:port: a cookie does not tell ports
// apart, so that its name has to.
func NewHandler(hand Hand, token, addr string) *Handler {
	h := &Handler{hand: hand, token: token, cookie: "throughline-" + addr[strings.LastIndexByte(addr, ':')+1:], mux: http.NewServeMux()}
	h.mux.HandleFunc("GET "+enterPath, h.enter)
	h.mux.Handle("POST "+movesPath, h.asked(h.move))
	h.mux.Handle("POST "+endPath, h.asked(h.end))
	h.mux.Handle("GET "+standingPath, h.asked(h.standing))
	return h
}

// Paths are what is to be served by the handler.
func (*Handler) Paths() []string { return []string{enterPath, movesPath, endPath, standingPath} }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Address is where a page at url is opened so that moves can be made by it.
func Address(page, token string) string {
	return strings.TrimSuffix(page, "/") + enterPath + "?token=" + url.QueryEscape(token)
}

// enter takes the token from the address and leaves it in a cookie, so that it is neither in
// the browser's history nor in what is copied from its address line.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request) {
	if !h.right(r.URL.Query().Get("token")) {
		http.Error(w, "this is not the token: open the address as it was printed", http.StatusForbidden)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: h.cookie, Value: h.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// right tells whether a token is the one, in a time that does not tell how much of it is.
func (h *Handler) right(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(h.token)) == 1
}

// asked lets through who has the token, in a header or in the cookie.
func (h *Handler) asked(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if c, err := r.Cookie(h.cookie); err == nil && token == "" {
			token = c.Value
		}
		if !h.right(token) {
			h.answer(w, r, http.StatusForbidden, nil, errors.New("moves need the token: open the address that throughline up has printed"))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, mostWords)
		next(w, r)
	})
}

// move makes a move. Of a form it takes all fields of that name, in their order: a hidden
// one may say "scale" and another one how far.
func (h *Handler) move(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		h.answer(w, r, http.StatusBadRequest, nil, fmt.Errorf("the move cannot be read: %w", err))
		return
	}
	moved, err := h.hand.Move(strings.Join(r.PostForm["move"], " "))
	if err != nil {
		h.tell(word{"refused: " + err.Error(), true})
		h.answer(w, r, http.StatusConflict, nil, err)
		return
	}
	h.tell(word{moved.String(), moved.Error != ""})
	h.answer(w, r, http.StatusOK, moved, nil)
}

func (h *Handler) end(w http.ResponseWriter, r *http.Request) {
	h.hand.End()
	h.tell(word{Text: "it ends: the load stops, the last counts come in, and there is a verdict"})
	h.answer(w, r, http.StatusOK, h.hand.Standing(), nil)
}

func (h *Handler) standing(w http.ResponseWriter, r *http.Request) {
	h.answer(w, r, http.StatusOK, h.hand.Standing(), nil)
}

// Told is what became of the last move, on one line; "" before the first.
func (h *Handler) Told() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.told.Text
}

func (h *Handler) tell(what word) {
	h.mu.Lock()
	h.told = what
	h.mu.Unlock()
	if h.Moved != nil {
		h.Moved()
	}
}

// refusal is an answer that says why there is none.
type refusal struct {
	Error string `json:"error"`
}

// answer gives a value, or an error, to who asks for JSON. A form without a script behind
// it comes back to the page, which tells.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, status int, value any, err error) {
	if err != nil {
		value = refusal{err.Error()}
	}
	switch {
	case strings.Contains(r.Header.Get("Accept"), "application/json"):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(value) // who is gone needs no answer
	case status == http.StatusForbidden || r.Method != http.MethodPost:
		if err == nil {
			err = errors.New("ask for application/json")
			status = http.StatusNotAcceptable
		}
		http.Error(w, err.Error(), status)
	default:
		http.Redirect(w, r, "/#moves", http.StatusSeeOther)
	}
}

// Client makes moves on a stack that is up.
type Client struct {
	URL   string `json:"url"` // of its page
	Token string `json:"token"`
	// ReadOnly: a scenario runs there, on which no moves are made.
	ReadOnly bool `json:"read_only,omitempty"`
}

// Move makes a move, given in words, and returns when it has had its effect, or had none, as
// its Error says. The error says why it was not begun.
func (c Client) Move(words string) (live.Moved, error) {
	var m live.Moved
	return m, c.ask(http.MethodPost, movesPath, url.Values{"move": {words}}, &m)
}

// Standing asks how the stack stands.
func (c Client) Standing() (live.Standing, error) {
	var s live.Standing
	return s, c.ask(http.MethodGet, standingPath, nil, &s)
}

// End ends it, and does not wait for the verdict.
func (c Client) End() error { return c.ask(http.MethodPost, endPath, nil, new(live.Standing)) }

// ErrUnreachable is the error of a Client when nobody answers.
var ErrUnreachable = errors.New("nobody answers there")

func (c Client) ask(method, path string, form url.Values, into any) error {
	r, err := http.NewRequest(method, strings.TrimSuffix(c.URL, "/")+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.Token)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", c.URL, ErrUnreachable, err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(io.LimitReader(got.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("%s: %w: %w", c.URL, ErrUnreachable, err)
	}
	if got.StatusCode != http.StatusOK {
		var why refusal
		if err := json.Unmarshal(body, &why); err != nil || why.Error == "" {
			return fmt.Errorf("%s: no stack that moves can be made on (%s)", c.URL, got.Status)
		}
		return errors.New(why.Error)
	}
	return json.Unmarshal(body, into)
}
