package block

import "unsafe"

// A leaf of a large map is some hundred bytes, and a lookup comes to one that
// was not used for long: waiting for each line of its memory costs more
// than all that is computed. So the index and the block stand in one piece with
// the Node, right behind what a lookup reads first.

const nodeBytes = int(unsafe.Sizeof(Node{}))

// allocate returns a node with n bytes of memory: in one piece with it where n is
// small, in a piece of its own where it is large. The sizes of the pieces are
// those that Go's allocator has, less the word that it puts before a piece of
// more than 512 bytes.
func allocate(n int) *Node {
	switch {
	case n <= 256-nodeBytes:
		piece := new(struct {
			Node
			room [256 - nodeBytes]byte
		})
		return piece.with(piece.room[:n])
	case n <= 320-nodeBytes:
		piece := new(struct {
			Node
			room [320 - nodeBytes]byte
		})
		return piece.with(piece.room[:n])
	case n <= 384-nodeBytes:
		piece := new(struct {
			Node
			room [384 - nodeBytes]byte
		})
		return piece.with(piece.room[:n])
	case n <= 448-nodeBytes:
		piece := new(struct {
			Node
			room [448 - nodeBytes]byte
		})
		return piece.with(piece.room[:n])
	case n <= 512-nodeBytes:
		piece := new(struct {
			Node
			room [512 - nodeBytes]byte
		})
		return piece.with(piece.room[:n])
	case n <= 632-nodeBytes:
		piece := new(struct {
			Node
			room [632 - nodeBytes]byte
		})
		return piece.with(piece.room[:n])
	case n <= 760-nodeBytes:
		piece := new(struct {
			Node
			room [760 - nodeBytes]byte
		})
		return piece.with(piece.room[:n])
	case n <= 1016-nodeBytes:
		piece := new(struct {
			Node
			room [1016 - nodeBytes]byte
		})
		return piece.with(piece.room[:n])
	}
	return new(Node).with(make([]byte, n))
}

func (n *Node) with(memory []byte) *Node {
	n.memory = memory
	return n
}

// Memory returns about how many bytes the node holds, or may come to hold when it
// points to its children, for bounding a cache.
func (n *Node) Memory() int {
	const rounding = 16 // what the allocator adds
	size := nodeBytes + cap(n.memory) + len(n.name) + rounding
	if n.links > 0 {
		size += childPointersBytes + 8*int(n.count)
	}
	return size
}
