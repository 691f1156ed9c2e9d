// Package web holds the page: the Vue application that is built into dist and
// travels inside the program.
//
// `make web` builds it; a program that was built without it is complete but for
// the page, and shows a stub that says how to get one. Nothing here serves files
// or knows of HTTP: Files gives them, and the server decides about caching,
// security headers, and which paths belong to the page.
package web

import (
	"embed"
	"io/fs"
)

// The build: of a checkout without one the folder holds a .gitignore only, which
// is why "all:" stands here.
//
//go:embed all:dist
var dist embed.FS

//go:embed stub
var stub embed.FS

// Files gives the page: index.html, which every path of the page that is no file
// is answered with, and what it loads. Whatever stands below assets/ carries a
// hash of its content in its name and never changes under that name; all other
// files may be another's after an update.
func Files() fs.FS {
	if Built() {
		return sub(dist, "dist")
	}
	return sub(stub, "stub")
}

// Built says whether the program was built with the page.
func Built() bool {
	_, err := fs.Stat(dist, "dist/index.html")
	return err == nil
}

// sub is fs.Sub for folders that are there by construction: the compiler embedded them.
func sub(files embed.FS, dir string) fs.FS {
	found, err := fs.Sub(files, dir)
	if err != nil {
		panic(err)
	}
	return found
}
