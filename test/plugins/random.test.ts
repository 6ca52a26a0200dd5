import { bcrypt } from "../../sandbox/plugins/random/bcrypt";
import { randomString, type StringOptions } from "../../sandbox/plugins/random/characters";
import { piWords } from "../../sandbox/plugins/random/pi";
import { RandomProvider } from "../../sandbox/plugins/random/provider";
import { type Properties, reveal, Secret, unknown } from "../../sandbox/plugins/shared/values";

const provider = new RandomProvider("4.21.2");
const resource = (type: string) => ({
    urn: "urn",
    name: "x",
    type: `random:index/${type.charAt(0).toLowerCase()}${type.slice(1)}:${type}`,
});
const check = (type: string, news: Properties) =>
    provider.check({ ...resource(type), olds: undefined, news, randomSeed: new Uint8Array(), autonaming: undefined });
const create = (type: string, properties: Properties, preview = false) =>
    provider.create({ ...resource(type), properties, timeout: 0, preview });

describe("random strings", () => {
    const plain: StringOptions = {
        length: 200,
        upper: false,
        lower: false,
        numeric: false,
        special: false,
        minUpper: 0,
        minLower: 0,
        minNumeric: 0,
        minSpecial: 0,
        overrideSpecial: "",
    };
    test.each<[Partial<StringOptions>, RegExp]>([
        [{ upper: true }, /^[A-Z]{200}$/],
        [{ lower: true }, /^[a-z]{200}$/],
        [{ numeric: true }, /^[0-9]{200}$/],
        [{ special: true }, /^[!@#$%&*()\-_=+[\]{}<>:?]{200}$/],
        [{ special: true, overrideSpecial: "_" }, /^_{200}$/],
        [{ lower: true, length: 10, minNumeric: 3 }, /^(?=(?:\D*\d){3}\D*$)[a-z0-9]{10}$/],
    ])("%j", (options, pattern) => {
        expect(randomString({ ...plain, ...options })).toMatch(pattern);
    });

    test("differ", () => {
        const strings = Array.from({ length: 50 }, () => randomString({ ...plain, length: 8, lower: true }));
        expect(new Set(strings).size).toBe(50);
    });
});

describe("bcrypt", () => {
    const digits = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const salt = (text: string) =>
        Buffer.from(
            text.replace(/./g, (each) => standard[digits.indexOf(each)] ?? ""),
            "base64",
        );

    test.each([
        ["", 6, "DCq7YPn5Rq63x1Lad4cll.", "TV4S6ytwfsfvkgY8jIucDrjc8deX1s."],
        ["abc", 6, "If6bvum7DFjUnE9p2uDeDu", "0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"],
        ["~!@#$%^&*()      ~!@#$%^&*()PNBFRD", 6, "fPIsBO8qRqkjj273rfaOI.", "HtSV9jLDpTbZn782DC6/t7qT67P6FfO"],
    ])("of %j", (password, cost, saltText, expected) => {
        expect(bcrypt(password, cost, salt(saltText))).toBe(`$2a$0${cost}$${saltText}${expected}`);
    });

    test("starts from pi", () => {
        expect([...piWords(3)].map((word) => (word >>> 0).toString(16))).toEqual(["243f6a88", "85a308d3", "13198a2e"]);
    });
});

describe("resources", () => {
    test("RandomPassword: result and hash are secret, the rest has its defaults", async () => {
        const { id, properties } = await create("RandomPassword", { length: 12, special: false });
        expect(id).toBe("none");
        expect(properties).toMatchObject({ length: 12, special: false, upper: true, minLower: 0 });
        expect(properties["result"]).toBeInstanceOf(Secret);
        expect(reveal(properties["result"] ?? null)).toMatch(/^[A-Za-z0-9]{12}$/);
        expect(reveal(properties["bcryptHash"] ?? null)).toMatch(/^\$2a\$10\$.{53}$/);
    });

    test("RandomBytes", async () => {
        const { properties } = await create("RandomBytes", { length: 16 });
        const bytes = Buffer.from(String(reveal(properties["base64"] ?? null)), "base64");
        expect(bytes).toHaveLength(16);
        expect(reveal(properties["hex"] ?? null)).toBe(bytes.toString("hex"));
    });

    test("RandomId", async () => {
        const { id, properties } = await create("RandomId", { byteLength: 4, prefix: "x-" });
        const bytes = Buffer.from(id, "base64url");
        expect(properties).toMatchObject({
            b64Url: `x-${id}`,
            hex: `x-${bytes.toString("hex")}`,
            dec: `x-${bytes.readUInt32BE()}`,
        });
    });

    test("a preview knows inputs only", async () => {
        const { properties } = await create("RandomPassword", { length: 12 }, true);
        expect(properties).toMatchObject({ length: 12, result: unknown });
    });

    test.each<[string, Properties, string]>([
        ["RandomPassword", {}, 'The argument "length" is required'],
        ["RandomPassword", { length: 0 }, "must be at least 1, got: 0"],
        ["RandomPassword", { length: 3, minUpper: 4 }, "at least sum of min_upper"],
        [
            "RandomPassword",
            { length: 3, special: false, upper: false, lower: false, numeric: false },
            "At least one attribute out of",
        ],
        ["RandomBytes", { length: 3, size: 1 }, 'An argument named "size" is not expected here'],
    ])("%s refuses %j", async (type, news, reason) => {
        const { failures } = await check(type, news);
        expect(failures?.map((failure) => failure.reason).join()).toContain(reason);
    });

    test("a type that is not here is named", async () => {
        await expect(check("RandomPet", {})).rejects.toThrow("RandomPet");
    });

    const diff = (olds: Properties, news: Properties) =>
        provider.diff({ ...resource("RandomPassword"), id: "none", olds, oldInputs: {}, news, ignoreChanges: [] });
    const state = { length: 12, special: true, upper: true, lower: true, numeric: true, number: true, minUpper: 0 };

    test.each<[string, Properties, readonly string[]]>([
        ["nothing", { length: 12 }, []],
        ["a default written out", { length: 12, special: true }, []],
        ["the length", { length: 13 }, ["length"]],
        ["keepers", { length: 12, keepers: { a: "b" } }, ["keepers"]],
    ])("a change of %s replaces %s", async (_, news, replaces) => {
        expect(await diff({ ...state, result: new Secret("x") }, news)).toMatchObject({
            changes: replaces.length > 0,
            replaces,
        });
    });

    test("an existing password is adopted", async () => {
        const request = { ...resource("RandomPassword"), id: "hunter2", properties: {}, inputs: {} };
        const { id, properties, inputs } = await provider.read(request);
        expect(id).toBe("none");
        expect(properties["result"]).toEqual(new Secret("hunter2"));
        expect(inputs).toEqual({ length: 7 });
    });
});
