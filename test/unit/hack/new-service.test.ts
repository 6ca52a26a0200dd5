import { readNewService } from "../../../hack/new-service";

/** Host names that are taken. */
const hosts = new Map([["music", "navidrome"]]);

const wishlist = {
    name: "wishlist",
    image: "ghcr.io/cmintey/wishlist:v0.53.2",
    port: 3280,
    health: "/",
    host: "wishlist",
    title: "Wishes: ours, theirs",
    description: "What we wish for",
    tier: 3,
};

test("a service is described by its options, and its description becomes a sentence", () => {
    expect(readNewService(wishlist, hosts)).toEqual({
        ...wishlist,
        image: { repository: "ghcr.io/cmintey/wishlist", tag: "v0.53.2" },
        description: "What we wish for.",
    });
});

test.each([
    ["name", "Wishlist", "lower-case letters"],
    ["name", "a".repeat(43), "42 at most"],
    ["name", "root", "a name that is not reserved in the cluster"],
    ["name", "kube-wishes", "a name that is not reserved in the cluster"],
    ["name", "navidrome", "a name without a folder in charts/"],
    ["image", "wishlist:1.2.3", "registry, name and release"],
    ["image", "ghcr.io/cmintey/wishlist", "registry, name and release"],
    ["image", "ghcr.io/cmintey/wishlist:latest", "registry, name and release"],
    ["port", 0, "a number from 1 to 65535"],
    ["port", Number.NaN, "a number from 1 to 65535"],
    ["health", "healthz", "a path, which begins with a slash"],
    ["host", "wish.list", "without dots"],
    ["host", "music", "a name that is not in use; navidrome has it"],
    ["description", "2 wishes", "a sentence that begins with a letter"],
])("%s cannot be %j", (option, value, accepted) => {
    expect(() => readNewService({ ...wishlist, [option]: value }, hosts)).toThrow(
        new RegExp(`^nothing was written:\\n  invalid --${option}: got ".*", expected .*${accepted}`),
    );
});

test("every mistake is listed at once", () => {
    expect(() => readNewService({ ...wishlist, image: "a", port: -1, health: "" }, hosts)).toThrow(
        /--image: .*\n {2}invalid --port: .*\n {2}invalid --health: /,
    );
});
