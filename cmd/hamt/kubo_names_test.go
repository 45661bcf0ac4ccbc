package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestNamesOfOthers: names that others gave, on a Kubo node, neither make lines of
// their own nor reach a terminal or a log as they are, and nor do the node's
// messages.
func TestNamesOfOthers(t *testing.T) {
	p := newPlace(t)
	root := p.root(people, "build")
	names := []string{"\x1b[31mred\u009b", "a\nb\tbafyreihn72qdqs5xwehgcqeepxbqs3zkocg5l7f4vn3asclloqtrgj3uqe", "plain é", `"quoted"`, "turned\u202e"}
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if !strings.HasSuffix(r.URL.Path, "/pin/ls") {
			w.WriteHeader(http.StatusInternalServerError)
			_ = json.NewEncoder(w).Encode(map[string]any{"Message": "bad\x1b[2J\nhamt: ok\u009b", "Code": 0, "Type": "error"}) // the test sees it
			return
		}
		for _, name := range names {
			_ = json.NewEncoder(w).Encode(map[string]any{"Cid": root, "Type": "recursive", "Name": name}) // the test sees it
		}
	}))
	defer node.Close()
	store := "kubo:" + node.URL
	p.same("names", p.ok("", "--store", store, "names"), strings.Join([]string{
		`"\u001b[31mred\u009b"`, `"\"quoted\""`, `"a\nb\tbafyreihn72qdqs5xwehgcqeepxbqs3zkocg5l7f4vn3asclloqtrgj3uqe"`, "plain é", `"turned\u202e"`, "",
	}, "\t"+root+"\n"))
	lines := strings.Split(strings.TrimSuffix(p.ok("", "--store", store, "names", "--json"), "\n"), "\n")
	if len(lines) != len(names) {
		t.Errorf("--json prints %d lines", len(lines))
	}
	for _, line := range lines {
		var got struct {
			Name string
			Root map[string]string
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.Root["/"] != root || !strings.Contains(fmt.Sprintf("%q", names), fmt.Sprintf("%q", got.Name)) {
			t.Errorf("%s: %v, %v", line, got, err)
		}
	}
	entries := strings.Split(p.ok("", "--store", store, "names", "-0"), "\x00")
	if len(entries) != len(names)+1 {
		t.Errorf("-0 prints %q", entries)
	}
	for _, name := range names {
		if !strings.Contains(strings.Join(entries, "\x00"), name+"\t"+root) {
			t.Errorf("-0 does not print %q", name)
		}
	}
	r := p.run("", "--store", store, "--retries", "0", "get", root, "Alice")
	if r.status != 3 || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, `bad\u001b[2J`) || strings.ContainsAny(r.err, "\x1b\u009b") {
		t.Errorf("status %d, %q", r.status, r.err)
	}
}
