// Where Pulumi starts.
module.exports = require("./toolchain/compile.cjs").load("program");
