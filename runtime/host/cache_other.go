//go:build !(linux && (amd64 || arm64 || loong64 || ppc64le || riscv64 || s390x))

package host

// dropCache does nothing: there is no such call, or it takes its arguments in another way.
func dropCache(fd uintptr) error { return nil }
