module github.com/ipld-hamt/go-ipld-hamt/.ci

go 1.25.7

require github.com/google/licensecheck v0.3.1
