import { Secrets } from "../../../components/secrets";
import { byType, mockEngine, settled } from "./mocks";

const base64 = (value: string) => Buffer.from(value).toString("base64");

/** A secret on the wire to the engine. */
const secret = (value: object) => ({ "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", value });

test("one Secret per chart: given, generated and shared values", async () => {
    const registered = await mockEngine();
    new Secrets("secrets", {
        declarations: {
            database: { jellyfin: { description: "x", generate: { length: 24, alphabet: "alphanumeric" } } },
            jellyfin: {
                password: { description: "x", from: { chart: "database", key: "jellyfin" } },
                token: { description: "x", required: true },
                feature: { description: "x", optional: true },
            },
        },
        given: { jellyfin: { token: "hunter2" } },
        rotations: {},
        namespaces: { database: "database", jellyfin: "media" },
    });
    await settled();

    expect(byType(registered, "random:index/randomPassword:RandomPassword")["database-jellyfin"]).toMatchObject({
        length: 24,
        special: false,
    });
    const { jellyfin, database } = byType(registered, "kubernetes:core/v1:Secret");
    expect(jellyfin?.["metadata"]).toEqual({ name: "jellyfin-secrets", namespace: "media" });
    expect(jellyfin?.["data"]).toEqual(
        secret({ password: base64("generated-database-jellyfin"), token: base64("hunter2") }),
    );
    expect(database?.["data"]).toEqual(secret({ jellyfin: base64("generated-database-jellyfin") }));
});

test("a secret without a value is refused, not written empty", async () => {
    await mockEngine();
    const declarations = { jellyfin: { token: { description: "x", required: true as const } } };
    expect(() => new Secrets("secrets", { declarations, given: {}, rotations: {}, namespaces: {} })).toThrow(
        /no value for secret jellyfin\.token/,
    );
});
