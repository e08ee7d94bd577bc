"""What is done to databases: pack, backup, restore and recover, each as a job."""
