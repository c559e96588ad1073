"""Apps that fit the lifecycle pages to other packages. Each is optional and nothing else here imports one."""
