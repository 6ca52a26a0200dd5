import { keepPromisesCheap } from "../../../config/plain-stacks";

const former = Error.prepareStackTrace;

afterEach(() => {
    Error.prepareStackTrace = former;
});

test("what the SDK remembers of a promise is not looked up in source maps, errors are", () => {
    Error.prepareStackTrace = (error) => `${error} at a line of TypeScript`;
    keepPromisesCheap();

    const debuggablePromise = () => new Error("of a promise").stack;

    expect(debuggablePromise()).toMatch(/^Error: of a promise\n {4}at debuggablePromise \(.*plain-stacks\.test\.ts/);
    expect(new Error("of the program").stack).toBe("Error: of the program at a line of TypeScript");
});
