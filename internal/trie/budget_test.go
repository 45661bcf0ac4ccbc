package trie

import "testing"

// TestBudgetOfRequests: what is under way and what is reserved are bounded
// together.
func TestBudgetOfRequests(t *testing.T) {
	b := planBudget(3)
	b.reserve(1)
	for i := range 2 {
		if !b.room() {
			t.Fatalf("no room with %d under way", i)
		}
		b.begin(1)
	}
	if b.room() {
		t.Error("a request may begin that would take what is reserved")
	}
	b.reserve(1)
	if excess := b.excess(); excess != 1 {
		t.Errorf("excess %d", excess)
	}
	b.reserve(-2)
	if !b.room() {
		t.Error("no room, with nothing reserved")
	}
	b.begin(1)
	b.end(1, 100)
	if !b.room() {
		t.Error("what has ended takes room")
	}
}

// TestBudgetOfNodes: a walk holds few nodes, a plan as many as will be needed.
func TestBudgetOfNodes(t *testing.T) {
	walk, plan := walkBudget(64), planBudget(64)
	for range aheadNodes * 64 {
		if !walk.fits(3) {
			t.Fatal("no room yet")
		}
		for _, b := range []*budget{walk, plan} {
			b.begin(3)
			b.end(3, 1)
		}
	}
	if walk.fits(3) || !plan.fits(3) {
		t.Errorf("one more fits into a walk's budget: %v, a plan's: %v", walk.fits(3), plan.fits(3))
	}
	walk.take(3, 1)
	if !walk.fits(3) {
		t.Error("what was taken takes room")
	}
	if few := walkBudget(2); few.nodes < batchSize {
		t.Errorf("%d nodes: no batch fits", few.nodes)
	}
}

// TestBudgetOfBytes: half is for all levels, and each level has a share of the
// other half, a smaller one the deeper it is.
func TestBudgetOfBytes(t *testing.T) {
	for _, full := range []int{2, 3, 5, budgetLevels - 1, 40} {
		b := planBudget(1000)
		held := 0
		for b.fits(full) {
			b.begin(full)
			b.end(full, 1<<18)
			held += 1 << 18
		}
		if held < aheadBytes/2 || held > aheadBytes*3/4 {
			t.Errorf("depth %d takes %d KiB alone", full, held>>10)
		}
		if full < budgetLevels && !b.fits(full-1) {
			t.Errorf("depth %d leaves no room for the one above it", full)
		}
		if full < budgetLevels-1 && !b.fits(full+1) {
			t.Errorf("depth %d leaves no room for the one below it", full)
		}
		b.take(full, aheadBytes/2)
		if !b.fits(full) {
			t.Errorf("depth %d: what was taken takes room", full)
		}
	}
	b := planBudget(1000)
	for range 1000 { // all levels in turn, the deepest first
		for depth := 50; depth > 0; depth-- { // the root is not loaded ahead
			if b.fits(depth) {
				b.begin(depth)
				b.end(depth, 1<<16)
			}
		}
	}
	all := int64(0)
	for i := range b.levels {
		all += b.levels[i].expected()
	}
	if all > aheadBytes*9/8 {
		t.Errorf("%d KiB are held together", all>>10)
	}
}

// TestBudgetExpects: what is under way counts with what is usual at its depth.
func TestBudgetExpects(t *testing.T) {
	b := planBudget(1000)
	level, _ := b.level(2)
	b.begin(2)
	if expected := level.expected(); expected != 0 {
		t.Errorf("%d bytes, and nothing is known", expected)
	}
	b.end(2, 1000)
	b.resize(2, 500)
	b.begin(2)
	b.begin(2)
	if expected := level.expected(); expected != 1500+2*1000 {
		t.Errorf("%d bytes", expected)
	}
	b.end(2, 0) // which failed
	b.take(2, 1500)
	if expected := level.expected(); expected != 1000 {
		t.Errorf("%d bytes after a failure", expected)
	}
}
