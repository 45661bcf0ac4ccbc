package embedded

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain wants no goroutine to be left behind by what is done here. As a process of
// TestCollectKilled it does what that wants.
func TestMain(m *testing.M) {
	if what, ok := os.LookupEnv(killedVariable); ok {
		collectAndDie(what)
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}
