package main

import "syscall"

// nobody is ourselves: there is no other user that every system has.
func nobody() *syscall.SysProcAttr { return nil }
