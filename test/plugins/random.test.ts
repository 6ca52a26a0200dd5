import { isRpcSecret, unwrapRpcSecret } from "@pulumi/pulumi/runtime/rpc";
import { compareSync } from "bcryptjs";
import type { Properties } from "../../sandbox/plugins/properties";
import { RandomProvider } from "../../sandbox/plugins/random/provider";

const provider = new RandomProvider("4.21.2");
const urn = (type: string) =>
    `urn:pulumi:sandbox::hearth::random:index/${type.charAt(0).toLowerCase()}${type.slice(1)}:${type}::x`;
const create = (type: string, inputs: Properties) => provider.create(urn(type), inputs);

test("a password has the requested length and characters; it and its hash are secret", async () => {
    for (const [inputs, pattern] of [
        [{ length: 200, special: false }, /^(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9]{200}$/],
        [{ length: 200 }, /^(?=.*[!@#$%&*()\-_=+[\]{}<>:?])[A-Za-z0-9!@#$%&*()\-_=+[\]{}<>:?]{200}$/],
    ] as const) {
        const { id, outs } = await create("RandomPassword", inputs);
        expect(id).toBe("none");
        expect(isRpcSecret(outs["result"]) && isRpcSecret(outs["bcryptHash"])).toBe(true);
        expect(unwrapRpcSecret(outs["result"])).toMatch(pattern);
    }
});

test("a password's hash is bcrypt's, with cost 10", async () => {
    const { outs } = await create("RandomPassword", { length: 32, special: false });
    const hash = unwrapRpcSecret(outs["bcryptHash"]);
    expect(hash).toMatch(/^\$2[ab]\$10\$/);
    expect(compareSync(unwrapRpcSecret(outs["result"]), hash)).toBe(true);
});

test("values do not repeat", async () => {
    const results = await Promise.all(Array.from({ length: 20 }, () => create("RandomBytes", { length: 8 })));
    expect(new Set(results.map(({ outs }) => unwrapRpcSecret(outs["hex"]))).size).toBe(20);
});

test("bytes are secret, in both forms", async () => {
    const { outs } = await create("RandomBytes", { length: 16 });
    expect(isRpcSecret(outs["hex"])).toBe(true);
    const bytes = Buffer.from(unwrapRpcSecret(outs["base64"]), "base64");
    expect(bytes).toHaveLength(16);
    expect(unwrapRpcSecret(outs["hex"])).toBe(bytes.toString("hex"));
});

test("an id has all its forms", async () => {
    const { id, outs } = await create("RandomId", { byteLength: 4 });
    const bytes = Buffer.from(id, "base64url");
    expect(outs).toMatchObject({ b64Url: id, hex: bytes.toString("hex"), dec: String(bytes.readUInt32BE()) });
});

test.each<[string, Properties, string]>([
    ["RandomPassword", {}, "expected number"],
    ["RandomPassword", { length: 0 }, "Too small"],
    ["RandomPassword", { length: 3, minUpper: 4 }, 'Unrecognized key: "minUpper"'],
    ["RandomBytes", { length: 3, size: 1 }, 'Unrecognized key: "size"'],
])("%s rejects %j", async (type, news, reason) => {
    const { failures = [] } = await provider.check(urn(type), {}, news);
    expect(failures.map((failure) => failure.reason).join()).toContain(reason);
});

test("a type that the program does not use is named", async () => {
    await expect(provider.check(urn("RandomPet"), {}, {})).rejects.toThrow("RandomPet");
});

test.each<[string, Properties, readonly string[]]>([
    ["nothing", { length: 12 }, []],
    ["a default written out", { length: 12, special: true }, []],
    ["the length", { length: 13 }, ["length"]],
    ["the alphabet", { length: 12, special: false }, ["special"]],
    ["keepers", { length: 12, keepers: { rotation: "2" } }, ["keepers"]],
])("a change of %s replaces %j", async (_, news, replaces) => {
    const { outs } = await create("RandomPassword", { length: 12 });
    expect(await provider.diff("none", urn("RandomPassword"), outs, news)).toEqual({
        changes: replaces.length > 0,
        replaces,
    });
});
