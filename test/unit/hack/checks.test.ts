import { checkClocks } from "../../../hack/checks";

const now = Date.parse("2026-11-25T12:00:00Z");

/** The lease of a node that renewed it so many seconds ago by its own clock. */
const lease = (name: string, seconds: number) => ({
    metadata: { name },
    spec: { renewTime: new Date(now - seconds * 1_000).toISOString() },
});

const node = (name: string, status: "True" | "Unknown") => ({
    metadata: { name },
    status: { conditions: [{ type: "Ready", status }] },
});

test("clocks agree as far as leases can tell", () => {
    expect(checkClocks([lease("attic", 9), lease("cellar", -3)], [node("attic", "True")], now)).toBe("2 compared");
});

test.each([
    ["ahead", lease("attic", -90), "attic is 90 s ahead"],
    ["behind", lease("attic", 600), "attic is about 600 s behind"],
])("a node whose clock is %s is named", (_, given, message) => {
    expect(() => checkClocks([given], [node("attic", "True")], now)).toThrow(message);
});

test("a node that is not there any more has no wrong clock", () => {
    expect(checkClocks([lease("attic", 600)], [node("attic", "Unknown")], now)).toBe("1 compared");
});
