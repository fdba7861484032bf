//! Sample complexity of convolutional networks: theory, simulation and estimation
