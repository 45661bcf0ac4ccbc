package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/embedded"
)

// migration makes a store of today of one of format 2.
type migration struct {
	skipDamaged bool
	say         func(format string, args ...any)
	damaged     map[cid.Cid]bool
}

// What the directories are called beside that of the store.
const (
	newSuffix = ".new"
	oldSuffix = ".format2"
)

func (m *migration) run(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if done, err := m.finishRenaming(dir); done || err != nil {
		return err
	}
	if embedded.CheckExists(dir) == nil {
		return fmt.Errorf("%s: it is a store of today's format already", dir)
	}
	if _, err := os.Lstat(dir + oldSuffix); err == nil {
		return fmt.Errorf("%s is in the way", dir+oldSuffix)
	}
	if info, err := os.Lstat(dir); err == nil && info.Mode()&os.ModeSymlink != 0 {
		return fmt.Errorf("%s is a symbolic link: name the directory itself", dir)
	}
	o, err := openOld(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	err = m.copy(ctx, o, dir)
	if err == nil {
		err = m.verify(ctx, o, dir)
	}
	if err = errors.Join(err, o.close()); err != nil {
		return err
	}
	if err := os.Rename(dir, dir+oldSuffix); err != nil {
		return err
	}
	_, err = m.finishRenaming(dir)
	return err
}

// finishRenaming puts the new store in its place once the old one has left it, which it
// does when the new one has all.
func (m *migration) finishRenaming(dir string) (done bool, err error) {
	for _, beside := range []string{dir + newSuffix, dir + oldSuffix} {
		if _, err := os.Lstat(beside); err != nil {
			return false, nil
		}
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	if err := os.Rename(dir+newSuffix, dir); err != nil {
		return false, err
	}
	if err := syncDir(filepath.Dir(dir)); err != nil {
		return false, err
	}
	m.say("%s is a store of format 3 now; the old one is in %s, and may be removed", dir, dir+oldSuffix)
	return true, nil
}

// copy copies blocks and names into the new store, and returns when they are on the
// disk. What is there already is not written again.
func (m *migration) copy(ctx context.Context, o *old, dir string) (err error) {
	records, err := o.records()
	if err != nil {
		return err
	}
	names, err := o.names()
	if err != nil {
		return err
	}
	s, err := m.open(ctx, dir, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	m.damaged = map[cid.Cid]bool{}
	for _, r := range records {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, s.Sync()) // from here the next one goes on
		}
		block, err := o.block(r)
		if err != nil {
			m.say("%v", err)
			m.damaged[r.cid] = true
			continue
		}
		if err := s.Put(ctx, r.cid, block); err != nil {
			return err
		}
	}
	if len(m.damaged) > 0 && !m.skipDamaged {
		return errors.Join(fmt.Errorf("%d of %d blocks are damaged: %s stays as it is (-skip-damaged goes on without them)",
			len(m.damaged), len(records), dir), s.Sync())
	}
	for _, name := range names {
		if err := s.SetName(ctx, name.Name, name.Root); err != nil {
			return err
		}
	}
	if err := s.Sync(); err != nil {
		return err
	}
	m.say("%d blocks and %d names were copied", len(records)-len(m.damaged), len(names))
	return nil
}

// open opens the new store.
func (m *migration) open(ctx context.Context, dir string, write bool) (*embedded.Store, error) {
	s, err := embedded.Open(ctx, dir+newSuffix, embedded.Options{
		Write: write, By: "format2", Warn: func(message string) { m.say("warning: %s", message) },
	})
	if err == nil {
		s.AllowWeakDigests() // whatever the old one took
	}
	return s, err
}

// verify reads each block as the new store has it, and compares the names.
func (m *migration) verify(ctx context.Context, o *old, dir string) (err error) {
	s, err := m.open(ctx, dir, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	records, err := o.records()
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := ctx.Err(); err != nil {
			return err
		}
		if m.damaged[r.cid] {
			continue
		}
		if _, err := stores.GetChecked(ctx, s, r.cid); err != nil {
			return fmt.Errorf("what was written cannot be read: %w", err)
		}
	}
	want := map[string]cid.Cid{}
	names, err := o.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		want[name.Name] = name.Root
	}
	got := map[string]cid.Cid{}
	for name, err := range s.Names(ctx) {
		if err != nil {
			return err
		}
		got[name.Name] = name.Root
	}
	if !maps.Equal(got, want) {
		return fmt.Errorf("the names are %v, and should be %v", got, want)
	}
	return nil
}
