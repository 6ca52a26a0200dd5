import { isServed } from "../../../sandbox/controllers/ingresses";

test.each([
    ["traefik", true],
    ["nginx", false],
    [undefined, false],
])("an Ingress of class %p is served: %p", (ingressClassName, expected) => {
    const classes = [
        { metadata: { name: "traefik" }, spec: { controller: "traefik.io/ingress-controller" } },
        { metadata: { name: "nginx" }, spec: { controller: "k8s.io/ingress-nginx" } },
    ];
    expect(isServed({ spec: { ingressClassName } }, classes)).toBe(expected);
});
