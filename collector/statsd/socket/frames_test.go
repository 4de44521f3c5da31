package socket

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// in feeds a stream to a framer as a connection does, in pieces that end where
// cuts says, and returns the payloads. A truncated one begins with "!".
func in(t testing.TB, f framer, stream string, cuts []int, e end) []string {
	t.Helper()
	var out []string
	c := &connection{buffers: newBuffers(maxOf(f)), framer: f}
	handle := func(payloads []Payload) {
		for _, p := range payloads {
			if len(p.Bytes) > maxOf(f) {
				t.Fatalf("a payload of %d bytes where %d are the limit", len(p.Bytes), maxOf(f))
			}
			mark := ""
			if p.Truncated {
				mark = "!"
			}
			out = append(out, mark+string(p.Bytes))
		}
	}
	piece := func(bytes string) {
		b := c.buffers.Get().(*buffer)
		defer c.buffers.Put(b)
		for again := true; again; again = bytes != "" {
			n := copy(b.bytes, c.rest)
			added := copy(b.bytes[n:], bytes)
			if bytes = bytes[added:]; added == 0 && bytes != "" {
				t.Fatalf("no room to read with %d bytes kept", len(c.rest))
			}
			c.cut(b, b.bytes[:n+added], handle)
		}
	}
	begin := 0
	for _, to := range cuts {
		piece(stream[begin:to])
		begin = to
	}
	piece(stream[begin:])
	c.end = e
	piece("")
	if len(c.rest) != 0 {
		t.Fatalf("%q is left after the end", c.rest)
	}
	return out
}

func maxOf(f framer) int {
	if f, ok := f.(*frames); ok {
		return f.max
	}
	return f.(*lines).max
}

// everyByte cuts after each byte; of a long stream, in a thousand pieces.
func everyByte(stream string) []int {
	var cuts []int
	for at := 0; at < len(stream); at += 1 + len(stream)/1000 {
		cuts = append(cuts, at)
	}
	return cuts
}

func TestFrames(t *testing.T) {
	for name, c := range map[string]struct {
		stream string
		end    end
		want   []string
	}{
		"whole":                {frame("abc") + frame("") + frame("12345678"), complete, []string{"abc", "", "12345678"}},
		"too long":             {frame("123456789") + frame("abc"), complete, []string{"!12345678", "abc"}},
		"far too long":         {frame(strings.Repeat("x", 100_000)) + frame("abc"), complete, []string{"!xxxxxxxx", "abc"}},
		"two too long":         {frame("123456789") + frame("abcdefghi"), complete, []string{"!12345678", "!abcdefgh"}},
		"the longest there is": {"\xff\xff\xff\xff123456789", complete, []string{"!12345678"}},
		"cut in the middle":    {frame("abc") + frame("abc")[:5], complete, []string{"abc", "!a"}},
		"cut after the length": {frame("abc")[:4], complete, []string{"!"}},
		"cut in the length":    {frame("abc") + "\x01\x00", broken, []string{"abc", "!"}},
		"cut in a long one":    {"\xff\xff\xff\xff123", broken, []string{"!123"}},
		"nothing":              {"", broken, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, cuts := range [][]int{nil, everyByte(c.stream)} {
				if got := in(t, newFramer(Unixstream, 8), c.stream, cuts, c.end); !slices.Equal(got, c.want) {
					t.Errorf("%d cuts: got %q, want %q", len(cuts), got, c.want)
				}
			}
		})
	}
}

func TestLines(t *testing.T) {
	for name, c := range map[string]struct {
		stream string
		end    end
		once   []string // read in one piece
		bytes  []string // read byte by byte
	}{
		"whole":                  {"a\nb\nc\n", complete, []string{"a\nb\nc\n"}, []string{"a\n", "b\n", "c\n"}},
		"more than fit together": {"abc\ndef\nghi\n", complete, []string{"abc\ndef\n", "ghi\n"}, []string{"abc\n", "def\n", "ghi\n"}},
		"the last without end":   {"abc\nd", complete, []string{"abc\n", "d"}, []string{"abc\n", "d"}},
		"broken off":             {"abc\nd", broken, []string{"abc\n", "!d"}, []string{"abc\n", "!d"}},
		"broken off between":     {"abc\n", broken, []string{"abc\n"}, []string{"abc\n"}},
		"just fits":              {"12345678\nabc\n", complete, []string{"12345678", "abc\n"}, []string{"12345678", "abc\n"}},
		"just fits at the end":   {"12345678", complete, []string{"12345678"}, []string{"12345678"}},
		"too long":               {"abc\n123456789\ndef\n", complete, []string{"abc\n", "!12345678", "def\n"}, []string{"abc\n", "!12345678", "def\n"}},
		"too long to the end":    {strings.Repeat("x", 100_000), complete, []string{"!xxxxxxxx"}, []string{"!xxxxxxxx"}},
		"empty ones":             {"\n\na\n", complete, []string{"\n\na\n"}, []string{"\n", "\n", "a\n"}},
		"nothing":                {"", broken, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := in(t, newFramer(TCP, 8), c.stream, nil, c.end); !slices.Equal(got, c.once) {
				t.Errorf("in one piece: got %q, want %q", got, c.once)
			}
			if got := in(t, newFramer(TCP, 8), c.stream, everyByte(c.stream), c.end); !slices.Equal(got, c.bytes) {
				t.Errorf("byte by byte: got %q, want %q", got, c.bytes)
			}
		})
	}
}

// cutsFrom are places to cut a stream at, from seed.
func cutsFrom(seed uint64, stream string) []int {
	r := rand.New(rand.NewPCG(seed, 0))
	var cuts []int
	for at := 0; at < len(stream); at += 1 + r.IntN(1+r.IntN(50)) {
		cuts = append(cuts, at)
	}
	return cuts
}

func FuzzFrames(f *testing.F) {
	for _, stream := range []string{"", frame("abc") + frame(""), frame("123456789") + frame("a"), "\xff\xff\xff\xffabc", "\x01\x00", frame("abc")[:5]} {
		f.Add(stream, uint64(1), uint8(8), true)
	}
	f.Fuzz(func(t *testing.T, stream string, seed uint64, limit uint8, proper bool) {
		size, e := int(limit)+1, complete
		if !proper {
			e = broken
		}
		got := in(t, newFramer(Unixstream, size), stream, cutsFrom(seed, stream), e)
		if want := framesOf(stream, size); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// framesOf takes a whole stream apart the plain way.
func framesOf(stream string, limit int) (want []string) {
	for len(stream) > 0 {
		if len(stream) < headerSize {
			return append(want, "!")
		}
		length := uint64(binary.LittleEndian.Uint32([]byte(stream)))
		stream = stream[headerSize:]
		body := stream[:min(length, uint64(len(stream)))]
		stream = stream[len(body):]
		if kept := body[:min(len(body), limit)]; uint64(len(kept)) < length {
			want = append(want, "!"+kept)
		} else {
			want = append(want, kept)
		}
	}
	return want
}

func FuzzLines(f *testing.F) {
	for _, stream := range []string{"", "a\nb\n", "abc", "12345678\n123456789\nabc\n", "\n\n\n"} {
		f.Add(stream, uint64(1), uint8(8), true)
	}
	f.Fuzz(func(t *testing.T, stream string, seed uint64, limit uint8, proper bool) {
		size, e := int(limit)+1, complete
		if !proper {
			e = broken
		}
		want := linesOf(stream, size, e)
		for _, cuts := range [][]int{nil, cutsFrom(seed, stream)} {
			var got []string
			for _, payload := range in(t, newFramer(TCP, size), stream, cuts, e) {
				// How many lines are in one payload depends on the cuts.
				got = append(got, strings.SplitAfter(payload, "\n")...)
			}
			got = slices.DeleteFunc(got, func(line string) bool { return line == "" })
			if !slices.Equal(got, want) {
				t.Errorf("%d cuts: got %q, want %q", len(cuts), got, want)
			}
		}
	})
}

// linesOf takes a whole stream apart the plain way.
func linesOf(stream string, limit int, e end) (want []string) {
	for stream != "" {
		text, rest, ended := strings.Cut(stream, "\n")
		switch {
		case len(text) > limit:
			text = "!" + text[:limit]
		case ended && len(text) < limit:
			text += "\n" // which does not fit if it is one byte longer, and is not missed
		case !ended && e == broken:
			text = "!" + text
		}
		want, stream = append(want, text), rest
	}
	return want
}
