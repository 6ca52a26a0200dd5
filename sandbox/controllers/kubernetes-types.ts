// The client is an ECMAScript module: its types can be imported here, its values only dynamically.
export type Client = typeof import("@kubernetes/client-node", { with: { "resolution-mode": "import" }});

export type KubeConfig = InstanceType<Client["KubeConfig"]>;
export type V1CSIDriver = InstanceType<Client["V1CSIDriver"]>;
export type V1Deployment = InstanceType<Client["V1Deployment"]>;
export type V1Ingress = InstanceType<Client["V1Ingress"]>;
export type V1IngressClass = InstanceType<Client["V1IngressClass"]>;
export type V1Node = InstanceType<Client["V1Node"]>;
export type V1PersistentVolume = InstanceType<Client["V1PersistentVolume"]>;
export type V1PersistentVolumeClaim = InstanceType<Client["V1PersistentVolumeClaim"]>;
export type V1Pod = InstanceType<Client["V1Pod"]>;
export type V1Service = InstanceType<Client["V1Service"]>;
export type V1StorageClass = InstanceType<Client["V1StorageClass"]>;
