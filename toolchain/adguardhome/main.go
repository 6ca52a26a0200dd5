// Runs AdGuard Home. Upstream's main embeds the pages that npm builds, which are not in the Go module: this one only
// has a page for the probe of charts/adguard.
package main

import (
	"embed"
	_ "time/tzdata"

	"github.com/AdguardTeam/AdGuardHome/internal/home"
)

//go:embed build
var pages embed.FS

func main() {
	home.Main(pages)
}
