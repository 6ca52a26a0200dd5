import { createSocket } from "node:dgram";
import type { AddressInfo } from "node:net";
import { askRouter, assessInternetAccess, externalAddress } from "../../../hack/internet-access";

const outside = "203.0.113.7";

test.each([
    ["100.72.3.4", "the provider's NAT (CGNAT): the router has 100.72.3.4"],
    ["192.168.0.2", "the provider's NAT (CGNAT): the router has 192.168.0.2"],
    ["198.51.100.9", "the provider's NAT (CGNAT): the router has 198.51.100.9, and the Internet sees 203.0.113.7"],
])("a router with the address %s is behind its provider's NAT", (router, found) => {
    const judged = assessInternetAccess({ outside, router, answers: false });

    expect(judged.found).toContain(found);
    expect(judged.remedy).toContain("hearth:edge");
});

test("a router that has the home's public address does not forward", () => {
    const judged = assessInternetAccess({ outside, router: outside, answers: false });

    expect(judged.found).toContain("nothing answers at port 443 of 203.0.113.7");
    expect(judged.remedy).toMatch(/^forward the ports/);
});

test("if the router does not report its address, the remedy explains how to distinguish the two", () => {
    expect(assessInternetAccess({ outside, router: undefined, answers: false }).remedy).toContain(
        "compare 203.0.113.7",
    );
});

test("a home that answers has no problem, and an offline one is reported", () => {
    expect(assessInternetAccess({ outside, router: "100.72.3.4", answers: true })).toMatchObject({ good: true });
    expect(assessInternetAccess({ outside: undefined, router: undefined, answers: false }).found).toContain(
        "servers on the Internet are unreachable",
    );
});

test("the router's address comes from its NAT-PMP answer, and a rejection has none", async () => {
    const answer = Buffer.from([0, 128, 0, 0, 0, 0, 0, 9, 100, 72, 3, 4]);
    const router = createSocket("udp4", (question, { port, address }) => {
        expect([...question]).toEqual([0, 0]);
        router.send(answer, port, address);
    });
    await new Promise<void>((resolve) => router.bind(0, "127.0.0.1", resolve));

    expect(await askRouter("127.0.0.1", (router.address() as AddressInfo).port)).toBe("100.72.3.4");
    expect(externalAddress(Buffer.from([0, 128, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0]))).toBeUndefined();
    expect(externalAddress(Buffer.alloc(2))).toBeUndefined();
    router.close();
});
