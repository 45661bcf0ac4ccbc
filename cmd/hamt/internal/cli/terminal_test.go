package cli

import (
	"bytes"
	"regexp"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// TestProgressRate: what a bar says of the speed is that of the work, from the first time
// it is drawn on: neither what was done before that, nor what was done in another phase,
// seems to have taken no time.
func TestProgressRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var drawn bytes.Buffer
		p := &progress{to: &drawn}
		p.start(&screen{}, "reading", 1<<30, true)
		work := func(each time.Duration, chunks int) {
			for range chunks {
				time.Sleep(each)
				p.add(1 << 20)
			}
		}
		work(100*time.Millisecond, 30) // 10 MiB/s
		p.nextBytes("writing", 1<<30)
		work(50*time.Millisecond, 60) // 20 MiB/s
		p.end()
		rates := map[string][]float64{}
		for _, found := range regexp.MustCompile(`(reading|writing)[^(]*\([^)]*?([0-9.]+) ([A-Za-z]+)/s`).FindAllStringSubmatch(drawn.String(), -1) {
			rate, err := strconv.ParseFloat(found[2], 64)
			if err != nil || found[3] != "MiB" {
				t.Errorf("%q", found[0])
			}
			rates[found[1]] = append(rates[found[1]], rate)
		}
		for what, want := range map[string]float64{"reading": 10, "writing": 20} {
			if len(rates[what]) < 10 {
				t.Errorf("%s: %d rates in %q", what, len(rates[what]), drawn.String())
			}
			for i, rate := range rates[what] {
				if rate > 1.2*want || rate < want/2 && i > 0 {
					t.Errorf("%s: the %dth rate is %.1f MiB/s, want about %.1f", what, i, rate, want)
				}
			}
		}
	})
}
