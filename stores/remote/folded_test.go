package remote

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestFolded: of warnings that come together one is told, and the next one says
// how many there were.
func TestFolded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f folded
		var told []string
		warn := func(message string) { told = append(told, message) }
		for n := range 65 {
			f.tell(warn, fmt.Sprint("refused ", n))
		}
		time.Sleep(foldFor)
		f.tell(warn, "refused again")
		time.Sleep(foldFor)
		f.tell(warn, "and again")
		want := []string{"refused 0", "refused again (and 64 others like it since the last)", "and again"}
		if !slices.Equal(told, want) {
			t.Errorf("%q", told)
		}
	})
}
