import { generateKeyPairSync } from "node:crypto";

/** A public key as OpenSSH writes it. */
export const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGyONEg7JK2tiSg9YhWTxDk0Vf8SQPUTM2lnNMlAvRK/";

/** A private key in PEM, made for this run. */
export const privateKey: string = generateKeyPairSync("ed25519", {
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
}).privateKey;
