// Package walrus stores records so that an acknowledged one survives.
package walrus
