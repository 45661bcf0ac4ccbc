package kubo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"

	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// request is a command of the RPC API: its name, its arguments and options, and
// the file that is handed to it, if any.
type request struct {
	command string
	query   url.Values
	file    io.Reader
}

func newRequest(command string, arguments ...string) *request {
	r := &request{command: command, query: url.Values{}}
	if len(arguments) > 0 {
		r.query["arg"] = arguments
	}
	return r
}

// option sets an option, whose text is that of fmt.Print, and returns r.
func (r *request) option(name string, value any) *request {
	r.query.Set(name, fmt.Sprint(value))
	return r
}

// body hands a file to the command, and returns r. A request with a file is sent
// once.
func (r *request) body(file io.Reader) *request {
	r.file = file
	return r
}

// client sends requests to the API of one node.
type client struct {
	base string // the URL of the API
	http http.Client
}

func newClient(at *url.URL, r *remote.Client) *client {
	c := &client{base: at.String() + "/api/v0/", http: *r.HTTP()}
	// The API does not redirect: what does is something else, and must not get
	// the blocks.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// send sends a request, and hands the answer to read, which has to read it to
// its end: an error may come that late. Every answer but that of a command which
// was carried out is an error.
func (c *client) send(ctx context.Context, r *request, read func(io.Reader) error) error {
	body, contentType, err := multipartOf(r.file)
	if err != nil {
		return err
	}
	sent, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+r.command+"?"+r.query.Encode(), body)
	if err != nil {
		return err
	}
	if contentType != "" {
		sent.Header.Set("Content-Type", contentType)
	}
	response, err := c.http.Do(sent)
	if remote.Nobody(err) {
		return nobody{err}
	}
	if err != nil {
		return withoutURL(err) // whoever hears of it knows what was asked, and of whom
	}
	defer response.Body.Close() //nolint:errcheck // all is read, or given up
	if err := checkResponse(response); err != nil {
		return err
	}
	return read(&stream{response})
}

// nobody is a connection that was refused, with what people should look at first.
type nobody struct{ err error }

func (n nobody) Error() string { return "the connection was refused: is `ipfs daemon` running?" }
func (n nobody) Unwrap() error { return n.err }

// multipartOf returns a body that holds one file, and its content type; neither
// where there is no file. The file is read as the body is.
func multipartOf(file io.Reader) (body io.Reader, contentType string, err error) {
	if file == nil {
		return nil, "", nil
	}
	var around bytes.Buffer // what stands before the file and behind it
	form := multipart.NewWriter(&around)
	if _, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename=""`},
		"Content-Type":        {"application/octet-stream"},
	}); err != nil {
		return nil, "", err
	}
	before := around.Len()
	if err := form.Close(); err != nil {
		return nil, "", err
	}
	head, tail := around.Bytes()[:before], around.Bytes()[before:]
	return io.MultiReader(bytes.NewReader(head), file, bytes.NewReader(tail)), form.FormDataContentType(), nil
}
