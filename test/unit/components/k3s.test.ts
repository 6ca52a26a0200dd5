import { parse } from "yaml";
import { traefikValues } from "../../../components/k3s";

test("uploads may take half an hour, services see who asks, and SSH has an entry point", () => {
    expect(parse(traefikValues(""))).toEqual({
        ports: {
            web: { transport: { respondingTimeouts: { readTimeout: "30m" } } },
            websecure: { transport: { respondingTimeouts: { readTimeout: "30m" } } },
            ssh: { port: 2222, exposedPort: 22, protocol: "TCP", expose: { default: true } },
        },
        service: { spec: { externalTrafficPolicy: "Local" } },
    });
});

test("settings that somebody made before stay, and a second run changes nothing", () => {
    const first = traefikValues("logs: {access: {enabled: true}}\nports: {websecure: {http3: {enabled: true}}}\n");

    expect(parse(first)).toMatchObject({
        logs: { access: { enabled: true } },
        ports: { websecure: { http3: { enabled: true }, transport: {} } },
    });
    expect(traefikValues(first)).toBe(first);
});

test("settings that are not YAML are an error that names them", () => {
    expect(() => traefikValues("ports: [")).toThrow(/HelmChartConfig traefik in kube-system: .* not valid YAML/);
});
