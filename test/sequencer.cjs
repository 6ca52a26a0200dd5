const { basename } = require("node:path");
const { default: Sequencer } = require("@jest/test-sequencer");

/** Files of the sandbox suite that take longest, in this order: docs/performance.md. */
const longest = ["start-and-gates", "homes", "hack", "gitea", "backup", "secrets"];

/** @param {import("@jest/test-result").Test} test */
const place = ({ path }) =>
    path.includes("/test/sandbox/") ? longest.indexOf(basename(path, ".test.ts")) + 1 || longest.length + 1 : 0;

/**
 * Starts long files first, so that all workers end at about the same time. Jest does so by the durations of the last run,
 * and by the sizes of the files on a machine without one.
 */
module.exports = class extends Sequencer {
    /** @param {import("@jest/test-result").Test[]} tests */
    sort(tests) {
        return super.sort(tests).sort((one, other) => place(one) - place(other));
    }
};
