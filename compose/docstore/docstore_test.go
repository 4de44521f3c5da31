package docstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// childDir, when set, makes the test binary a docstore on that directory: the
// child that the durability test kills.
const childDir = "DOCSTORE_TEST_CHILD_DIR"

// childListen and childSet say besides where it listens and of which replica set it is.
const (
	childListen = "DOCSTORE_TEST_CHILD_LISTEN"
	childSet    = "DOCSTORE_TEST_CHILD_SET"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		err := Run(context.Background(), Config{
			Dir:        dir,
			Listen:     cmp.Or(os.Getenv(childListen), "127.0.0.1:0"),
			ReplicaSet: os.Getenv(childSet),
			Ready:      func(a net.Addr) { fmt.Println(a) },
		})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// serve runs a docstore on dir until the test ends and returns its address.
func serve(t testing.TB, dir string) string {
	t.Helper()
	addr, stop := start(t, Config{Dir: dir})
	t.Cleanup(stop)
	return addr
}

// start runs a docstore and returns its address and how to stop it.
func start(t testing.TB, c Config) (addr string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan net.Addr, 1)
	ended := make(chan error, 1)
	c.Listen, c.Ready = "127.0.0.1:0", func(a net.Addr) { ready <- a }
	go func() { ended <- Run(ctx, c) }()
	select {
	case a := <-ready:
		addr = a.String()
	case err := <-ended:
		t.Fatalf("docstore did not start: %v", err)
	}
	return addr, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("docstore ended with: %v", err)
		}
	}
}

// connect gives a client of the docstore at addr.
func connect(t testing.TB, addr string, o ...*options.ClientOptions) *mongo.Client {
	t.Helper()
	base := options.Client().ApplyURI("mongodb://" + addr).SetServerSelectionTimeout(10 * time.Second).SetMaxPoolSize(200)
	client, err := mongo.Connect(append([]*options.ClientOptions{base}, o...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Disconnect(context.Background()); err != nil {
			t.Errorf("disconnect: %v", err)
		}
	})
	return client
}

// words gives an empty collection of a docstore of its own.
func words(t testing.TB) *mongo.Collection {
	t.Helper()
	return connect(t, serve(t, t.TempDir())).Database("test").Collection("words")
}

// bareName is a field name without its quotes.
var bareName = regexp.MustCompile(`([{,]\s*)([A-Za-z_$][\w$]*):`)

// doc reads extended JSON as people write it in the shell: {a: 1}.
func doc(t testing.TB, json string) bson.D {
	t.Helper()
	json = bareName.ReplaceAllString(json, `$1"$2":`)
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(json), false, &d); err != nil {
		t.Fatalf("%s: %v", json, err)
	}
	return d
}

func raw(t testing.TB, json string) bson.Raw {
	t.Helper()
	b, err := bson.Marshal(doc(t, json))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fill inserts documents.
func fill(t testing.TB, c *mongo.Collection, docs ...string) {
	t.Helper()
	for _, d := range docs {
		if _, err := c.InsertOne(t.Context(), doc(t, d)); err != nil {
			t.Fatalf("insert %s: %v", d, err)
		}
	}
}

// allOf reads a cursor to its end and shows the documents one per line.
func allOf(t testing.TB, cursor *mongo.Cursor, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var docs []bson.Raw
	if err := cursor.All(t.Context(), &docs); err != nil {
		t.Fatal(err)
	}
	lines := make([]string, len(docs))
	for i, d := range docs {
		lines[i] = showDocument(d)
	}
	return strings.Join(lines, "\n")
}

// wantCode fails unless err has the code and names the thing.
func wantCode(t testing.TB, err error, code int, names string) {
	t.Helper()
	var se mongo.ServerError
	if !errors.As(err, &se) {
		t.Fatalf("error is %v, want code %d naming %q", err, code, names)
	}
	if !se.HasErrorCode(code) || !strings.Contains(err.Error(), names) {
		t.Errorf("error is %v, want code %d naming %q", err, code, names)
	}
}

// run sends a command and returns its answer.
func run(t testing.TB, db *mongo.Database, json string) (bson.Raw, error) {
	t.Helper()
	return db.RunCommand(t.Context(), doc(t, json)).Raw()
}

// TestAGetIsAnswered: as MongoDB does, so that a health check needs no driver.
func TestAGetIsAnswered(t *testing.T) {
	addr := serve(t, t.TempDir())
	answer, err := http.Get("http://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), "MongoDB over HTTP") {
		t.Errorf("%s, %q, %v", answer.Status, body, err)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(conn); len(said) > 0 {
		t.Errorf("to a POST: %q, %v", said, err)
	}
}
