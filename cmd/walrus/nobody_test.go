//go:build !windows

package main

import (
	"os"
	"syscall"
)

// nobody is somebody who may not write, if we are one who always may.
func nobody() *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}
