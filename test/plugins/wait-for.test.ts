import { waitForCondition } from "../../sandbox/plugins/kubernetes/await/conditions";
import { Display } from "../../sandbox/plugins/kubernetes/await/display";
import { evaluate, parseExpression } from "../../sandbox/plugins/kubernetes/await/expression";
import type { Properties } from "../../sandbox/plugins/shared/values";

const shown: string[] = [];
const host = { log: () => {}, status: (_: string, __: string, message: string) => shown.push(message) };
const display = new Display(host, "urn");

function holds(waitFor: string, object: Properties): boolean {
    const metadata = { name: "x", annotations: { "pulumi.com/waitFor": waitFor }, generation: 2 };
    const condition = waitForCondition({ ...object, metadata });
    if (!condition) {
        throw new Error("no condition");
    }
    return condition({ ...object, metadata }, display);
}

const ready = { type: "Ready", status: "True" };

describe("pulumi.com/waitFor", () => {
    test.each<[string, Properties, boolean]>([
        ["jsonpath={.status.phase}=Running", { status: { phase: "Running" } }, true],
        ["jsonpath={.status.phase}=Running", { status: { phase: "Pending" } }, false],
        ["jsonpath={.status.phase}", { status: { phase: "Pending" } }, true],
        ["jsonpath={.status.phase}", { status: {} }, false],
        ["jsonpath={ .status.count }=3", { status: { count: 3 } }, true],
        ["jsonpath={.status.on}=true", { status: { on: true } }, true],
        ["jsonpath={.status.phase}=A", { status: { phase: "A", observedGeneration: 1 } }, false],
        ["jsonpath={.status.phase}=A", { status: { phase: "A", observedGeneration: 2 } }, true],
        ["jsonpath={.status.list}", { status: { list: [] } }, true],
        ['jsonpath={.status.conditions[?@.type=="Ready"].status}=True', { status: { conditions: [ready] } }, true],
        ["condition=Ready", { status: { conditions: [ready] } }, true],
        ["condition=ready=true", { status: { conditions: [ready] } }, true],
        ["condition=Ready=False", { status: { conditions: [ready] } }, false],
        ["condition=Ready", { status: { conditions: [{ type: "Other", status: "True" }] } }, false],
        ["condition=Ready", {}, false],
        ["condition=Ready", { status: { conditions: [{ ...ready, observedGeneration: 1 }] } }, false],
        ["condition=Ready", { status: { observedGeneration: 1, conditions: [ready] } }, false],
        ['["jsonpath={.status.a}=1","condition=Ready"]', { status: { a: 1, conditions: [ready] } }, true],
        ['["jsonpath={.status.a}=1","condition=Ready"]', { status: { a: 2, conditions: [ready] } }, false],
        ['["jsonpath={.status.a}=1","condition=Ready"]', { status: { a: 1, conditions: [] } }, false],
    ])("%s on %j is %s", (waitFor, object, expected) => {
        expect(holds(waitFor, object)).toBe(expected);
    });

    test.each<[string, string]>([
        ["{.status.phase}=Running", 'expected a "jsonpath=" or "condition=" prefix, got "{.status.phase}=Running"'],
        ["[]", "at least one condition must be specified"],
        ["jsonpath=.status.phase", ".status.phase should be wrapped in brackets { ... }"],
        ["jsonpath='{.status.phase}'", "'{.status.phase}' should omit shell quotes"],
        ["jsonpath={.status.phase}=", "{.status.phase}= requires a value"],
        ["jsonpath={.a}=b=c", 'format should be {.path}=value or {.path}, got "{.a}=b=c"'],
        ["jsonpath={.a[}", 'parsing "{.a[}": jsonpath: '],
    ])("%s is refused", (waitFor, message) => {
        expect(() => holds(waitFor, {})).toThrow(message);
    });

    test("an object where a value is expected is an error, not a match", () => {
        const expression = parseExpression("jsonpath={.status}=x");
        expect(() => evaluate(expression, { status: {} })).toThrow("has a non-primitive value");
    });

    test("no annotation, no condition", () => {
        expect(waitForCondition({ metadata: { name: "x" } })).toBeUndefined();
    });

    test("tells what it waits for, and what it found", () => {
        shown.length = 0;
        holds("jsonpath={.status.health}=Healthy", { status: { health: "Degraded" } });
        holds("jsonpath={.status.health}=Healthy", {});
        expect(shown).toEqual([
            'Waiting for {.status.health}=Healthy (found "Degraded")',
            "{.status.health} selected nothing",
        ]);
    });
});
