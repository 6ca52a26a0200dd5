/**
 * Where Pulumi starts: index.ts, transpiled by tsx (types are checked by `npm run typecheck`). From then on tsx reads
 * every file that is loaded once more, those of packages too, so the large ones are loaded before: in half the time.
 * Node's cache of compiled code halves it again; in this folder, where nobody else writes.
 */
require("node:module").enableCompileCache(require("node:path").join(__dirname, "node_modules/.cache/node"));
for (const name of ["@pulumi/kubernetes", "@pulumi/command", "@pulumi/random", "yaml", "zod"]) {
    require(name);
}
require("tsx/cjs");
module.exports = require("./index.ts");
