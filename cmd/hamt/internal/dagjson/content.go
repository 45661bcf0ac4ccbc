package dagjson

// Content returns what is in a string or bytes in DAG-CBOR, as it is. ok is false for
// any other value.
func Content(raw []byte) (content []byte, ok bool) {
	major, n, at := head(raw, 0)
	if major != majorString && major != majorBytes {
		return nil, false
	}
	content, end, err := take(raw, at, n)
	return content, err == nil && end == len(raw)
}

// Link returns the CID of a link in DAG-CBOR, in its usual text. ok is false for any
// other value.
func Link(raw []byte) (text string, ok bool) {
	major, tag, at := head(raw, 0)
	if major != majorTag {
		return "", false
	}
	c, end, err := takeLink(raw, at, tag)
	if err != nil || end != len(raw) {
		return "", false
	}
	return c.String(), true
}
