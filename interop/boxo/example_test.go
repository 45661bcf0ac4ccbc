package boxo_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/exchange/offline"
	"github.com/ipfs/boxo/gateway"

	"github.com/ipld-hamt/go-ipld-hamt/interop/boxo"
)

// A gateway for which a HAMT is a directory: of UnixFS directories and files,
// of other HAMTs, and of values.
func Example() {
	store := newStore() // any Blockstore

	service := blockservice.New(store, boxo.Exchange(offline.Exchange(store)))
	resolver := boxo.NewResolver(service)
	resolver.AddValue = service.AddBlock
	backend, err := gateway.NewBlocksBackend(service, gateway.WithResolver(resolver))
	if err != nil {
		panic(err)
	}
	handler := gateway.NewHandler(gateway.Config{DeserializedResponses: true}, backend)

	root := buildExample(context.Background(), store)
	server := httptest.NewServer(handler)
	defer server.Close()
	for _, path := range []string{"dir/hello.txt", "Rabbit", "Rabbit/0/line", "Hatter"} {
		response, err := http.Get(server.URL + "/ipfs/" + root.String() + "/" + path)
		if err != nil {
			panic(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			fmt.Println(path, response.Status)
			continue
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s %s %q\n", path, response.Header.Get("Content-Type"), body)
	}
	// Output:
	// dir/hello.txt text/plain; charset=utf-8 "Hello, Alice!\n"
	// Rabbit application/vnd.ipld.dag-json "[{\"column\":22,\"line\":1}]"
	// Rabbit/0/line application/vnd.ipld.dag-json "1"
	// Hatter 404 Not Found
}
