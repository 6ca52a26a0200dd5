import { checkCluster } from "../../../components/cluster";

test("a cluster whose ServiceLB is on is refused before anything is changed, with the way to turn it off", () => {
    expect(() => checkCluster({ serviceLb: ["kube-system/traefik"] })).toThrow(
        /ServiceLB of k3s serves kube-system\/traefik[\s\S]*disable: \[servicelb\]/,
    );
    expect(() => checkCluster({ serviceLb: [] })).not.toThrow();
});
