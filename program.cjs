// Entry point of the Pulumi program.
module.exports = require("./toolchain/compile.cjs").load("program");
