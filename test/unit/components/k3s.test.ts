import { parse } from "yaml";
import { traefikValues } from "../../../components/k3s";

test("uploads may take half an hour, services see client addresses, and SSH has an entry point", () => {
    expect(parse(traefikValues(""))).toEqual({
        ports: {
            web: { transport: { respondingTimeouts: { readTimeout: "30m" } } },
            websecure: { transport: { respondingTimeouts: { readTimeout: "30m" } } },
            ssh: { port: 2222, exposedPort: 22, protocol: "TCP", expose: { default: true } },
        },
        service: { spec: { externalTrafficPolicy: "Local" } },
    });
});

test("existing settings stay, and a second run changes nothing", () => {
    const first = traefikValues("logs: {access: {enabled: true}}\nports: {websecure: {http3: {enabled: true}}}\n");

    expect(parse(first)).toMatchObject({
        logs: { access: { enabled: true } },
        ports: { websecure: { http3: { enabled: true }, transport: {} } },
    });
    expect(traefikValues(first)).toBe(first);
});

test("Traefik requests its address from MetalLB once, also if existing settings request another in another form", () => {
    const asked = (values: string) => parse(values).service;
    const address = "192.168.1.240";
    const other =
        "{annotations: {metallb.universe.tf/loadBalancerIPs: 10.0.0.1, some: other}, spec: {loadBalancerIP: 10.0.0.1}}";
    const spec = { externalTrafficPolicy: "Local" };

    expect(asked(traefikValues("", address))).toEqual({ annotations: { "metallb.io/loadBalancerIPs": address }, spec });
    expect(asked(traefikValues(`service: ${other}`, address))).toEqual({
        annotations: { some: "other", "metallb.io/loadBalancerIPs": address },
        spec,
    });
});

test("an address that existing settings already request stays as it is written", () => {
    const existing = "service: {spec: {loadBalancerIP: 192.168.1.240}}";

    expect(parse(traefikValues(existing, "192.168.1.240")).service).toEqual({
        spec: { loadBalancerIP: "192.168.1.240", externalTrafficPolicy: "Local" },
    });
    expect(parse(traefikValues(existing)).service.spec.loadBalancerIP).toBe("192.168.1.240");
});

test("settings that are not YAML are an error that names them", () => {
    expect(() => traefikValues("ports: [")).toThrow(/HelmChartConfig traefik in kube-system: .* not valid YAML/);
});
