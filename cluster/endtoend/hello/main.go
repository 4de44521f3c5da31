// Hello answers every request with the name of its pod. The end-to-end test deploys it.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	pod, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, pod) })
	log.Fatal(http.ListenAndServe(":8080", nil))
}
