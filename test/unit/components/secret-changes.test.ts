import { keysUsed, observedChanges } from "../../../components/secret-changes";

describe("changes in a Secret since the last comparison", () => {
    const known = { a: { digest: "1", time: 0 }, b: { digest: "2", time: 50 } };

    test("the first comparison finds no change: a rebuilt cluster restarts nothing", () => {
        expect(observedChanges(undefined, { a: "1" }, 99)).toEqual({ a: { digest: "1", time: 0 } });
    });

    test("with the same values, pending restarts stay pending", () => {
        expect(observedChanges(known, { a: "1", b: "2" }, 99)).toEqual(known);
    });

    test("another value and a new key changed when the Secret did; a removed key is forgotten", () => {
        expect(observedChanges(known, { a: "9", c: "3" }, 99)).toEqual({
            a: { digest: "9", time: 99 },
            c: { digest: "3", time: 99 },
        });
    });
});

describe("keys of a Secret that a pod uses", () => {
    const keys = ["password", "token", "salt"];
    const key = (name: string) => ({ valueFrom: { secretKeyRef: { name: "app-secrets", key: name } } });

    test.each<[string, Parameters<typeof keysUsed>[0], string[]]>([
        ["none", { containers: [{ env: [{}] }], volumes: [{}] }, []],
        ["those of its variables", { containers: [{ env: [key("token")] }] }, ["token"]],
        [
            "those of a container that runs first",
            { containers: [], initContainers: [{ env: [key("salt")] }] },
            ["salt"],
        ],
        [
            "all, where every key is a variable",
            { containers: [{ envFrom: [{ secretRef: { name: "app-secrets" } }] }] },
            keys,
        ],
        ["all, where it is a volume", { volumes: [{ secret: { secretName: "app-secrets" } }] }, keys],
        [
            "those of a volume that names them",
            { volumes: [{ secret: { secretName: "app-secrets", items: [{ key: "password" }] } }] },
            ["password"],
        ],
        [
            "those of a volume of several sources",
            { volumes: [{ projected: { sources: [{ secret: { name: "app-secrets", items: [{ key: "salt" }] } }] } }] },
            ["salt"],
        ],
        [
            "none of another Secret",
            {
                containers: [{ envFrom: [{ secretRef: { name: "other" } }] }],
                volumes: [{ secret: { secretName: "other" } }],
            },
            [],
        ],
    ])("%s", (_, pod, expected) => {
        expect(keysUsed(pod, "app-secrets", keys)).toEqual(expected);
    });
});
