package webcar

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain wants no goroutine to be left behind by what is done here.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }
