import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";

/** A promise of the SDK, and an error of the program, as JSON; source-map-support is there, as in `pulumi up`. */
const program = `
    require("source-map-support/register");
    require(${JSON.stringify(resolve(__dirname, "../../../config/process.ts"))});
    const promise = Promise.resolve();
    require("@pulumi/pulumi/runtime/debuggable").debuggablePromise(promise, "of a test");
    console.log(JSON.stringify({ promise: promise._debugStackTrace, error: new Error("of the program").stack }));
`;

async function stacks(env: NodeJS.ProcessEnv): Promise<{ promise: string; error: string }> {
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", "--eval", program], {
        cwd: resolve(__dirname, "../../.."),
        env: { ...process.env, ...env },
    });
    return JSON.parse(stdout);
}

test("the SDK spends no time on stacks of its promises; errors of the program keep theirs", async () => {
    expect(await stacks({ PULUMI_DEBUG_PROMISE_LEAKS: "" })).toEqual({
        promise: "Error",
        error: expect.stringMatching(/^Error: of the program\n {4}at /),
    });
});

test("with PULUMI_DEBUG_PROMISE_LEAKS the SDK has the stacks that it then prints", async () => {
    expect((await stacks({ PULUMI_DEBUG_PROMISE_LEAKS: "true" })).promise).toMatch(/\n {4}at /);
});
