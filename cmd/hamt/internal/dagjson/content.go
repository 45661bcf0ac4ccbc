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

// EachField visits the fields of a map in DAG-CBOR, until visit returns an error, in the
// order they stand in. ok is false for any other value.
func EachField(raw []byte, visit func(name, value []byte) error) (ok bool, err error) {
	major, n, at := head(raw, 0)
	if major != majorMap {
		return false, nil
	}
	for range n {
		major, length, next := head(raw, at)
		if major != majorString {
			return true, errMalformed
		}
		name, next, err := take(raw, next, length)
		if err != nil {
			return true, err
		}
		if at, err = skip(raw, next, 0); err != nil {
			return true, err
		}
		if err := visit(name, raw[next:at]); err != nil {
			return true, err
		}
	}
	if at != len(raw) {
		return true, errMalformed
	}
	return true, nil
}

// AppendPair appends a key and its value as they stand in a bucket: a list of two, in
// which the key is bytes.
func AppendPair(dst, key, raw []byte) []byte {
	return append(AppendBytes(appendHead(dst, majorList, 2), key), raw...)
}

// IsBytes reports whether a value in DAG-CBOR is bytes.
func IsBytes(raw []byte) bool {
	major, _, _ := head(raw, 0)
	return major == majorBytes
}
