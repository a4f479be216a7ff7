"""The central administrator's service: members, their certificates, and the stamped catalogue of the instance."""
