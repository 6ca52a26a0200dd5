/** Prints the counts of a run as one line that CI reads. */
module.exports = class {
    /** @param {unknown} _ @param {import("@jest/reporters").AggregatedResult} results */
    onRunComplete(_, { numPassedTests, numFailedTests, numRuntimeErrorTestSuites, numPendingTests }) {
        const failed = numFailedTests + numRuntimeErrorTestSuites;
        process.stderr.write(`${numPassedTests} passed, ${failed} failed, ${numPendingTests} skipped\n`);
    }
};
