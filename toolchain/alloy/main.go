// Alloysyntax reads files in Alloy's configuration language with Alloy's own parser, and prints their blocks as JSON.
// Alloy itself cannot be built from its Go module, whose program is in another module that is not published.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/grafana/alloy/syntax/ast"
	"github.com/grafana/alloy/syntax/parser"
)

// Block is a block of the configuration with its contents.
type Block struct {
	Name       string   `json:"name"`
	Label      string   `json:"label"`
	Attributes []string `json:"attributes"`
	Blocks     []Block  `json:"blocks"`
}

func blocks(body ast.Body) (found []Block, attributes []string) {
	found, attributes = []Block{}, []string{}
	for _, statement := range body {
		switch each := statement.(type) {
		case *ast.AttributeStmt:
			attributes = append(attributes, each.Name.Name)
		case *ast.BlockStmt:
			inner, own := blocks(each.Body)
			found = append(found, Block{strings.Join(each.Name, "."), each.Label, own, inner})
		}
	}
	return found, attributes
}

func main() {
	all := []Block{}
	for _, path := range os.Args[1:] {
		text, err := os.ReadFile(path)
		if err == nil {
			var file *ast.File
			if file, err = parser.ParseFile(path, text); err == nil {
				found, _ := blocks(file.Body)
				all = append(all, found...)
				continue
			}
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
