import { formatAddress, holds, overlaps, parseAddress, parseRange } from "../../../sandbox/controllers/addresses";

test.each([
    ["10.20.0.1", 4, 0x0a140001n],
    ["255.255.255.255", 4, 0xffffffffn],
    ["::", 6, 0n],
    ["fd00::1", 6, (0xfd00n << 112n) + 1n],
    ["::ffff:10.0.0.1", 6, 0xffff0a000001n],
    ["1:2:3:4:5:6:7:8", 6, 0x00010002000300040005000600070008n],
])("%s is an address", (text, family, value) => {
    expect(parseAddress(text)).toEqual({ family, value });
});

test.each(["", "10.20.0", "10.20.0.256", "fe80::1%eth0", "home.arpa"])("%p is no address", (text) => {
    expect(parseAddress(text)).toBeUndefined();
});

test.each([
    [4, 0x0a140001n, "10.20.0.1"],
    [6, (0xfd00n << 112n) + 1n, "fd00:0:0:0:0:0:0:1"],
] as const)("IPv%i %p is written %s", (family, value, text) => {
    expect(formatAddress(family, value)).toBe(text);
});

test.each([
    ["10.20.0.200-10.20.0.250", "10.20.0.200", "10.20.0.250"],
    ["10.20.0.200 - 10.20.0.250", "10.20.0.200", "10.20.0.250"],
    ["10.20.0.77/30", "10.20.0.76", "10.20.0.79"],
    ["10.20.0.1/32", "10.20.0.1", "10.20.0.1"],
])("%s is a range", (text, first, last) => {
    const range = parseRange(text);
    expect([formatAddress(range.family, range.first), formatAddress(range.family, range.last)]).toEqual([first, last]);
});

test.each([
    ["10.20.0.200", 'invalid CIDR "10.20.0.200"'],
    ["10.20.0.0/33", 'invalid CIDR "10.20.0.0/33"'],
    ["10.20.0.0/", 'invalid CIDR "10.20.0.0/"'],
    ["10.20.0.x-10.20.0.9", 'invalid IP range "10.20.0.x-10.20.0.9": invalid start IP "10.20.0.x"'],
    ["10.20.0.1-", 'invalid IP range "10.20.0.1-": invalid end IP ""'],
    ["10.20.0.1-fd00::1", "must be the same family"],
    ["10.20.0.9-10.20.0.1", 'start IP "10.20.0.9" is after the end IP "10.20.0.1"'],
])("%s is refused as MetalLB refuses it", (text, message) => {
    expect(() => parseRange(text)).toThrow(message);
});

test.each([
    ["10.0.0.0/24", "10.0.0.255-10.0.1.5", true],
    ["10.0.0.0/24", "10.0.1.0/24", false],
    ["10.0.0.0/24", "::a00:0/120", false],
])("%s and %s overlap: %p", (one, other, expected) => {
    expect(overlaps(parseRange(one), parseRange(other))).toBe(expected);
    expect(overlaps(parseRange(other), parseRange(one))).toBe(expected);
});

test("a range holds its ends, and no address of the other family", () => {
    const range = parseRange("10.0.0.4-10.0.0.6");
    expect(["10.0.0.3", "10.0.0.4", "10.0.0.6", "10.0.0.7", "::a00:5"].map((each) => holds(range, each))).toEqual([
        false,
        true,
        true,
        false,
        false,
    ]);
});
