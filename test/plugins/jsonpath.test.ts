import { parseJsonPath } from "../../sandbox/plugins/kubernetes/await/jsonpath";
import type { Value } from "../../sandbox/plugins/shared/values";

const document: Value = {
    status: {
        phase: "Running",
        replicas: 3,
        "dotted.key": true,
        revisions: ["abc", "def", "ghi"],
        conditions: [
            { type: "Ready", status: "True", reason: "AllGood" },
            { type: "Synced", status: "False" },
        ],
    },
    nested: { status: { phase: "Inner" } },
};

describe("JSONPath selects", () => {
    test.each<[string, Value[]]>([
        ["$.status.phase", ["Running"]],
        ["$.status.missing", []],
        ["$.status.phase.deeper", []],
        ["$['status']['dotted.key']", [true]],
        ['$.status["revisions"][0]', ["abc"]],
        ["$.status.revisions[-1]", ["ghi"]],
        ["$.status.revisions[5]", []],
        ["$.status.revisions[*]", ["abc", "def", "ghi"]],
        ["$.status.revisions[1:]", ["def", "ghi"]],
        ["$.status.revisions[:2]", ["abc", "def"]],
        ["$.status.revisions[::-1]", ["ghi", "def", "abc"]],
        ["$.status.revisions[0,2]", ["abc", "ghi"]],
        ["$..phase", ["Running", "Inner"]],
        ['$.status.conditions[?@.type == "Ready"].status', ["True"]],
        ["$.status.conditions[?(@.type=='Synced')].status", ["False"]],
        ["$.status.conditions[?@.reason].type", ["Ready"]],
        ["$.status.conditions[?!@.reason].type", ["Synced"]],
        ['$.status.conditions[?@.status != "True" && @.type == "Synced"].type', ["Synced"]],
        ['$.status.conditions[?@.type == "None" || @.type == "Ready"].type', ["Ready"]],
        ['$.status.conditions[?match(@.type, "R.*")].type', ["Ready"]],
        ['$.status.conditions[?search(@.type, "ync")].type', ["Synced"]],
        ["$.status.conditions[?length(@.type) > 5].type", ["Synced"]],
        ["$.status[?@ == 3]", [3]],
    ])("%s", (path, expected) => {
        expect(parseJsonPath(path).select(document)).toEqual(expected);
    });
});

test.each([".status", "$.", "$.status[", "$.status[]", "$[?@.a ==]", "$['open]", "$.a b"])("refuses %s", (path) => {
    expect(() => parseJsonPath(path)).toThrow(/jsonpath: .* at position \d+/);
});
