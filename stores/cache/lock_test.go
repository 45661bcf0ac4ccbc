package cache

import (
	"sync"
	"testing"
)

// TestAccountsTogether: nothing that anybody takes is lost.
func TestAccountsTogether(t *testing.T) {
	const times, accounts = 500, 4
	dir := t.TempDir()
	var all []*account
	for range accounts {
		a, err := openAccount(dir, 1<<40)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	var takers sync.WaitGroup
	for _, a := range all {
		takers.Go(func() {
			for range times {
				a.mu.Lock()
				if err := a.take(page); err != nil {
					t.Error(err)
				}
				a.mu.Unlock()
			}
		})
	}
	takers.Wait()
	s, err := all[0].load()
	if err != nil || s.total != accounts*times*page {
		t.Errorf("%d pages, %v", s.total/page, err)
	}
	for _, a := range all {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	}
}
