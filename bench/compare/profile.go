package main

import (
	"os"
	"path/filepath"
	"runtime/pprof"
)

// profile is the CPU profile of one run; nothing where there is no directory
// for it. A later run of the same name overwrites it.
type profile struct {
	dir, name string
	file      *os.File
}

func (p *profile) around(begin bool) (err error) {
	switch {
	case p.dir == "":
		return nil
	case begin:
		if p.file, err = os.Create(filepath.Join(p.dir, p.name+".pprof")); err != nil {
			return err
		}
		return pprof.StartCPUProfile(p.file)
	}
	pprof.StopCPUProfile()
	return p.file.Close()
}
